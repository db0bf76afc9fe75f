// A Socket.IO server that is no counter: everything that a user of loadgen may have to set, it demands. Stock
// socket.io from the packages of tests/interop, whose folder is the argument.
import http from 'node:http';
import { createRequire } from 'node:module';

const { Server } = createRequire(`${process.argv[2]}/package.json`)('socket.io');
const server = http.createServer();
const chat = new Server(server, { path: '/live/' }).of('/chat');

chat.use(({ handshake }, next) => {
  const known = handshake.auth.token === 'let me in' && handshake.headers['x-team'] === 'blue';
  next(known && handshake.query.room === '7' ? undefined : new Error('not you'));
});
chat.on('connection', (socket) => socket.on('say', (message) => chat.emit('said', message)));

server.listen(0, '127.0.0.1', () => console.log(`server is running on http://127.0.0.1:${server.address().port}`));
