import Link from 'next/link';

import Here from './here';

export default function Page() {
  return (
    <>
      <Here id="page" />
      <Link id="go-b" href="/about">
        b
      </Link>
    </>
  );
}
