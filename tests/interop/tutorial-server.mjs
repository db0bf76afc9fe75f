// The 2019 tutorial's server (Express and stock Node socket.io), with its handlers and nothing else: the reference
// that the wire tests hold beside our own server, and a peer for tools that must work with any Socket.IO server.
// It does not acknowledge, as the tutorial does not. PORT (3000; 0 picks a free one), PUBLIC_DIR (./tutorial).
import http from 'node:http';
import path from 'node:path';
import express from 'express';
import { Server } from 'socket.io';

const app = express();
app.use(express.static(process.env.PUBLIC_DIR ?? path.join(import.meta.dirname, 'tutorial')));
const server = http.createServer(app);
const io = new Server(server, { allowEIO3: true });

let count = 0;
io.on('connection', (socket) => {
  socket.emit('countUpdated', count);
  socket.on('increment', () => {
    count++;
    io.emit('countUpdated', count);
  });
});

server.on('error', (error) => {
  console.error(`error: cannot listen on 127.0.0.1:${process.env.PORT ?? 3000}: ${error.code}; try PORT=0`);
  process.exitCode = 1;
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`server is running on http://127.0.0.1:${server.address().port}`);
});
