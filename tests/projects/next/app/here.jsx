'use client';
import { useActiveUsers } from 'active-users-client/react';

const apiUrl = typeof location === 'undefined' ? '' : new URL('/presence', location.href).href;

export default function Here({ id }) {
  const metrics = useActiveUsers({ customerId: 'shop-next', apiUrl });
  return <p id={id}>{metrics ? metrics.count : '…'}</p>;
}
