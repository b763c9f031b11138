import { ActiveUsersClient } from './modules/active_users/client';

// Initialize client
const activeUsers = new ActiveUsersClient({
  customerId: 'shop123',
  apiUrl: 'http://localhost:3001',
  websocketUrl: 'ws://localhost:3003/ws/active-users',
  debug: true,
});

// Start tracking
await activeUsers.init();

// Subscribe to metrics updates
activeUsers.onMetrics((metrics) => {
  console.log('Active users:', metrics.count);
  console.log('EMA:', metrics.ema);
  
  // Update UI
  document.getElementById('active-count').textContent = metrics.count;
});

// Get current metrics
const metrics = activeUsers.getMetrics();

// Check connection status
const status = activeUsers.getConnectionStatus();
console.log('Connection mode:', status.mode); // 'websocket' | 'polling'
console.log('Is leader:', status.isLeader);
