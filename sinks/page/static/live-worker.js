// One connection to the server for all tabs of a browser: HTTP/1.1 allows six to a host, and fifty tabs may be open.
const feeds = new Map(); // address → {source, ports, last messages}

onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => (data.leave ? leave(port) : join(port, data.address));
  port.start();
};

function join(port, address) {
  let feed = feeds.get(address);
  if (!feed) {
    feed = { source: new EventSource(address), ports: new Set(), state: "waiting", health: null };
    feeds.set(address, feed);
    feed.source.onopen = () => tell(feed, { state: (feed.state = "live") });
    feed.source.onerror = () => {
      tell(feed, { state: (feed.state = "down") });
      if (feed.source.readyState === EventSource.CLOSED) reopen(address, feed); // refused, say while it restarts
    };
    listen(feed);
  }
  feed.ports.add(port);
  port.postMessage({ state: feed.state });
  if (feed.health) port.postMessage({ change: { kinds: [], profiles: [], health: feed.health } });
}

function listen(feed) {
  feed.source.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    if (change.health) feed.health = change.health;
    tell(feed, { change });
  });
}

function reopen(address, feed) {
  setTimeout(() => {
    if (feeds.get(address) !== feed) return;
    const { onopen, onerror } = feed.source;
    feed.source = new EventSource(address);
    Object.assign(feed.source, { onopen, onerror });
    listen(feed);
  }, 2000);
}

function leave(port) {
  for (const [address, feed] of feeds) {
    feed.ports.delete(port);
    if (!feed.ports.size) {
      feed.source.close();
      feeds.delete(address);
    }
  }
}

function tell(feed, message) {
  for (const port of feed.ports) port.postMessage(message);
}
