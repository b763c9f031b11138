import Here from './here';

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <Here id="layout" />
        {children}
      </body>
    </html>
  );
}
