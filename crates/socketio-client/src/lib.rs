//! An asynchronous Socket.IO client.
