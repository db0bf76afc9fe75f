// The tutorial's counter on Bun, with the Socket.IO engine that its project publishes for Bun.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";

const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);

let count = 0;

io.on("connection", (socket) => {
  socket.emit("countUpdated", count);

  socket.on("increment", () => {
    count++;
    io.emit("countUpdated", count);
  });
});

const server = Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  hostname: "127.0.0.1",
  ...engine.handler(),
});

console.log(`server is running on http://127.0.0.1:${server.port}`);
