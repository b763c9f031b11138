import Link from 'next/link';

import Here from '../here';

export default function About() {
  return (
    <>
      <Here id="page" />
      <Link id="go-a" href="/">
        a
      </Link>
    </>
  );
}
