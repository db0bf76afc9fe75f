// The script of the page: shows the count, and sees every click through to its acknowledgement.
// A click carries a random key, and the server counts a key once: so what a lost connection left unanswered, or
// what the server could not store, is sent again with its key. Works with the small client and the official one.
(() => {
  'use strict';

  const MAX_IN_FLIGHT = 64; // far below what a server queues for one connection
  const FRAME = 16; // ms between two paints, however many counts arrive; unlike animation frames also in a hidden tab
  const ANNOUNCEMENT = 1000; // ms between two counts read aloud or shown in the title
  const RETRY = { first: 500, most: 30000 }; // ms

  const UNREADABLE = 'The server gave an answer that this page cannot read; that click is not sent again.';

  const element = (id) => document.getElementById(id);
  const show = (id, text) => {
    if (element(id).textContent !== text) element(id).textContent = text;
  };

  const clicks = new Map(); // not acknowledged yet: key to whether it was sent on this connection
  let retry = null; // timer: while it runs, nothing is sent
  let refusals = 0; // in a row

  if (typeof io !== 'function') {
    show('problem', 'The Socket.IO client did not load: check the server, then reload this page.');
    return;
  }
  const socket = io();

  const showState = (state, text) => {
    document.body.dataset.state = state;
    show('state', text);
  };

  // Calls `paint` at most once in `ms`, and always after the last call.
  const atMostEvery = (ms, paint) => {
    let timer = null;
    return () => {
      timer ??= setTimeout(() => {
        timer = null;
        paint();
      }, ms);
    };
  };

  let count;
  const paintCount = atMostEvery(FRAME, () => {
    const text = count.toLocaleString();
    element('count').style.setProperty('--characters', text.length);
    show('count', text);
  });
  const announceCount = atMostEvery(ANNOUNCEMENT, () => {
    document.title = `${count.toLocaleString()} – Live counter`;
    show('announcement', `Count ${count}`);
  });

  const sendClicks = () => {
    let inFlight = 0;
    for (const [key, sent] of clicks) {
      if (!socket.connected || retry !== null || ++inFlight > MAX_IN_FLIGHT) break;
      if (sent) continue;
      clicks.set(key, true);
      socket.emit('increment', { key }, (answer) => settle(key, answer));
    }
    show('pending', `${clicks.size} ${clicks.size === 1 ? 'click' : 'clicks'} pending`);
    element('pending').dataset.count = clicks.size;
  };

  const settle = (key, answer) => {
    if (typeof answer?.error === 'string') {
      clicks.set(key, false);
      retryLater(answer.error);
    } else {
      clicks.delete(key);
      refusals = 0;
      show('problem', typeof answer === 'number' ? '' : UNREADABLE);
    }
    sendClicks();
  };

  const retryLater = (reason) => {
    show('problem', `Not counted yet: ${reason}. Trying again.`);
    if (retry !== null) return; // one delay for all that were refused together
    const delay = Math.min(RETRY.first * 2 ** refusals++, RETRY.most) * (0.5 + Math.random() / 2);
    retry = setTimeout(() => {
      retry = null;
      sendClicks();
    }, delay);
  };

  // Where a server told the client to leave, the client does not return by itself; a page that stays open should.
  const rejoin = () => {
    if (!socket.active) setTimeout(() => socket.connect(), 1000 + 2000 * Math.random());
  };

  socket.on('countUpdated', (newest) => {
    count = newest;
    paintCount();
    announceCount();
  });
  socket.on('connect', () => {
    showState('live', 'live');
    sendClicks();
  });
  socket.on('disconnect', () => {
    showState('offline', 'reconnecting…');
    for (const key of clicks.keys()) clicks.set(key, false);
    rejoin();
  });
  socket.on('connect_error', () => {
    showState('offline', 'reconnecting…');
    rejoin();
  });

  element('increment').addEventListener('click', () => {
    const random = crypto.getRandomValues(new Uint8Array(16));
    clicks.set(Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join(''), false);
    sendClicks();
  });
})();
