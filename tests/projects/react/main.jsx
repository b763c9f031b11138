// A layout that stays, and routes that come and go; both show the number.
import { useActiveUsers } from 'active-users-client/react';
import React, { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

const CONFIG = { customerId: 'shop-react', apiUrl: new URL('/presence', location.href).href };

function Here({ id }) {
  const metrics = useActiveUsers(CONFIG);
  return <p id={id}>{metrics ? metrics.count : '…'}</p>;
}

const Layout = ({ children }) => (
  <>
    <Here id="layout" />
    {children}
  </>
);

function App() {
  const [route, setRoute] = useState('a');
  return (
    <Layout>
      {['a', 'b', 'none'].map((name) => (
        <button key={name} id={`go-${name}`} onClick={() => setRoute(name)}>
          {name}
        </button>
      ))}
      {route !== 'none' && <Here key={route} id="page" />}
    </Layout>
  );
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
