// A small Socket.IO client for browsers: defines the global `io`, with the names and the manners of the official one.
// WebSocket and JSON only, one connection per socket; no polling, binary packets, Manager events or state recovery.
// Reference: Engine.IO protocol 4 and Socket.IO protocol 5, https://socket.io/docs/v4/socket-io-protocol/
(() => {
  'use strict';

  const DEFAULTS = {
    path: '/socket.io/',
    autoConnect: true,
    reconnection: true,
    reconnectionAttempts: Infinity,
    reconnectionDelay: 1000,
    reconnectionDelayMax: 5000,
    randomizationFactor: 0.5,
    timeout: 20000,
  };
  const RESERVED = ['connect', 'connect_error', 'disconnect', 'disconnecting'];
  // Engine.IO type (of a message also the Socket.IO type), attachments, namespace, ack id, JSON.
  const PACKET = /^(4?\d)(?:\d+-)?(\/[^,]*)?,?(\d*)(.*)$/s;

  const encode = (values) =>
    JSON.stringify(values, (_, value) => {
      if (value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob) {
        throw new TypeError('socket.io: only the official client sends binary data');
      }
      return value;
    });

  const createSocket = (url, options) => {
    const nsp = url.pathname;
    const prefix = nsp === '/' ? '' : nsp + ',';
    const query = new URLSearchParams(options.query ?? url.search);
    query.set('EIO', '4');
    query.set('transport', 'websocket');
    const scheme = /^(https|wss):/.test(url.protocol) ? 'wss' : 'ws';
    const address = `${scheme}://${url.host}${options.path.replace(/\/?$/, '/')}?${query}`;

    const listeners = new Map();
    const acks = new Map(); // by id: what the server has not acknowledged yet
    const unsent = []; // [json, ack] emitted while disconnected
    let lastAck = 0;
    let ws = null;
    let timer = null; // one at a time: connect timeout, then heartbeat watch, then delay before reconnection
    let patience; // ms without a ping after which the server is gone
    let attempts = 0;

    const wait = (ms, then) => {
      clearTimeout(timer);
      timer = ms === null ? null : setTimeout(then, ms);
    };
    const watch = () => wait(patience, () => drop('ping timeout'));

    // Capped before the jitter: capped after it, as in the official client, a crowd soon returns in step.
    const delay = () => {
      const { reconnectionDelay, reconnectionDelayMax, randomizationFactor: spread } = options;
      const middle = Math.min(reconnectionDelay * 2 ** attempts++, reconnectionDelayMax / (1 + spread));
      return middle * (1 + spread * (2 * Math.random() - 1));
    };

    const fire = (event, ...args) => {
      for (const listener of listeners.get(event) ?? []) listener.apply(socket, args);
    };

    // As with the official client, an acknowledgement awaited on a lost connection never comes.
    const drop = (reason, again = true, error = new Error(reason)) => {
      const { connected } = socket;
      const closing = ws;
      ws = null;
      socket.connected = false;
      socket.id = undefined;
      acks.clear();
      closing.close();
      const retry = again && options.reconnection && attempts < options.reconnectionAttempts;
      wait(retry ? delay() : null, () => socket.connect());
      if (connected) fire('disconnect', reason);
      else if (error) fire('connect_error', error);
    };

    const send = (json, ack) => {
      if (!socket.connected || ws.readyState !== WebSocket.OPEN) return unsent.push([json, ack]);
      if (ack) acks.set(++lastAck, ack);
      ws.send('42' + prefix + (ack ? lastAck : '') + json);
    };

    const answer = (id, on = ws) => (...args) => {
      if (id && on === ws) ws.send('43' + prefix + id + encode(args));
      id = null;
    };

    const receive = ({ data }) => {
      if (typeof data !== 'string') return; // an attachment: its packet was reported
      let type, namespace, id, json, body;
      try {
        [, type, namespace = '/', id, json] = PACKET.exec(data);
        body = json && JSON.parse(json);
        if (/4[23]/.test(type) && !Array.isArray(body)) throw body;
      } catch {
        return drop('parse error');
      }
      if (type === '2') {
        ws.send('3');
        if (socket.connected) watch();
      } else if (type === '0') {
        patience = body.pingInterval + body.pingTimeout;
        const opened = ws;
        const join = (auth) => opened.send('40' + prefix + (auth ? encode(auth) : ''));
        typeof options.auth === 'function' ? options.auth(join) : join(options.auth);
      } else if (namespace === nsp) {
        handle[type]?.(body, id);
      }
    };

    const handle = {
      40({ sid }) {
        socket.connected = true;
        socket.id = sid;
        attempts = 0;
        watch();
        for (const emitted of unsent.splice(0)) send(...emitted);
        fire('connect');
      },
      41: () => drop('io server disconnect', false),
      42: (body, id) => fire(...body, ...(id ? [answer(id)] : [])),
      43(body, id) {
        const ack = acks.get(Number(id));
        acks.delete(Number(id));
        ack?.apply(socket, body);
      },
      44: ({ message, data }) => drop(message, false, Object.assign(new Error(message), { data })),
      45: () => console.error('socket.io: binary packet ignored: only the official client reads binary data'),
    };
    handle[46] = handle[45];

    const socket = {
      nsp,
      connected: false,
      id: undefined,

      get disconnected() {
        return !this.connected;
      },

      /** Whether it is connected, connecting, or going to reconnect by itself. */
      get active() {
        return Boolean(ws || timer);
      },

      connect() {
        if (ws) return this;
        const opening = (ws = new WebSocket(address));
        const current = (react) => (event) => opening === ws && react(event);
        ws.onmessage = current(receive);
        ws.onerror = current(() => drop('transport error'));
        ws.onclose = current(() => drop('transport close'));
        wait(options.timeout, () => drop('timeout'));
        return this;
      },

      disconnect() {
        wait(null);
        if (this.connected) ws.send('41' + prefix);
        if (ws) drop('io client disconnect', false, null);
        return this;
      },

      on(event, listener) {
        listeners.set(event, [...(listeners.get(event) ?? []), listener]);
        return this;
      },

      once(event, listener) {
        const first = (...args) => this.off(event, first) && listener.apply(this, args);
        first.listener = listener;
        return this.on(event, first);
      },

      /** Removes a listener, all listeners of an event, or all. */
      off(event, listener) {
        const known = listeners.get(event) ?? [];
        const index = known.findIndex((each) => each === listener || each.listener === listener);
        if (!event) listeners.clear();
        else listeners.set(event, listener ? known.filter((_, i) => i !== index) : []);
        return this;
      },

      /** A function as last argument receives the server's acknowledgement. */
      emit(event, ...args) {
        if (RESERVED.includes(event)) throw new Error(`"${event}" is a reserved event name`);
        const ack = typeof args.at(-1) === 'function' ? args.pop() : null;
        send(encode([event, ...args]), ack);
        return this;
      },
    };
    socket.open = socket.connect;
    socket.close = socket.disconnect;
    return options.autoConnect ? socket.connect() : socket;
  };

  /** `io()`, `io(options)`, `io("/namespace")`, `io("host:port")`, `io("https://host/namespace", options)` */
  const io = (url, options) => {
    if (typeof url === 'object') [url, options] = ['/', url];
    const target = /^(\w+:\/)?\//.test((url ||= '/')) ? url : '//' + url;
    return createSocket(new URL(target, globalThis.location?.href), { ...DEFAULTS, ...options });
  };
  io.connect = io;
  globalThis.io = io;
})();
