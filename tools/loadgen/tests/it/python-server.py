"""The tutorial's counter on python-socketio and uvicorn: a peer that loadgen has to work with unchanged."""

import socket

import socketio
import uvicorn

server = socketio.AsyncServer(async_mode="asgi")
count = 0


@server.event
async def connect(sid, environ):
    await server.emit("countUpdated", count, to=sid)


@server.event
async def increment(sid):
    global count
    count += 1
    await server.emit("countUpdated", count)


listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(f"server is running on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(socketio.ASGIApp(server), log_level="warning")
uvicorn.Server(config).run(sockets=[listener])
