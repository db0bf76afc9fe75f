// The tutorial's counter on stock Express and socket.io.
import { createServer } from "node:http";
import express from "express";
import { Server } from "socket.io";

const app = express();
const server = createServer(app);
const io = new Server(server);

let count = 0;

io.on("connection", (socket) => {
  socket.emit("countUpdated", count);

  socket.on("increment", () => {
    count++;
    io.emit("countUpdated", count);
  });
});

server.listen({ port: Number(process.env.PORT ?? 3000), host: "127.0.0.1", backlog: 4096 }, () => {
  console.log(`server is running on http://127.0.0.1:${server.address().port}`);
});
