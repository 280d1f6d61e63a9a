// Changes as the server tells them; through a worker that all tabs share where the browser has one.

/** Calls told({state}) and told({change}) until the page is left. */
export function follow(address, worker, told) {
  const full = new URL(address, location.href).href;
  if (window.SharedWorker) {
    let port = null;
    const open = () => {
      port = new SharedWorker(worker, { name: "touchline" }).port;
      port.onmessage = ({ data }) => told(data);
      port.postMessage({ address: full });
    };
    open();
    addEventListener("pagehide", () => port.postMessage({ leave: true }));
    addEventListener("pageshow", (event) => event.persisted && open());
    return;
  }
  let source = null;
  const open = () => {
    source = new EventSource(full);
    source.onopen = () => told({ state: "live" });
    source.onerror = () => {
      told({ state: "down" });
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 2000);
    };
    source.addEventListener("change", (event) => told({ change: JSON.parse(event.data) }));
  };
  open();
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && open());
}
