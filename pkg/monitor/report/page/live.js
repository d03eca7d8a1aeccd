// Asking the server for what is new, with patience.

const soon = 2000, late = 15000, asleep = 30000;

// Live calls changed with each new document, and connected with null or what went wrong.
class Live {
  constructor(changed, connected) {
    this.changed = changed;
    this.connected = connected;
    this.wait = soon;
    this.tag = null;
    this.clock = 0; // the server's, ahead of ours
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.now();
    });
    addEventListener('online', () => this.now());
    this.now();
  }

  now() {
    clearTimeout(this.timer);
    this.wait = soon;
    if (!this.busy) this.ask();
  }

  async ask() {
    this.busy = true;
    let next = null, error = null;
    try {
      // The browser keeps the answer, and the server says in a few bytes that it is still good.
      const r = await fetch('data.json', {cache: 'no-cache', signal: AbortSignal.timeout(20000)});
      if (!r.ok) throw new Error(`the server answers ${r.status}`);
      this.clock = Date.parse(r.headers.get('Date')) - Date.now() || 0;
      const tag = r.headers.get('ETag');
      if (tag !== this.tag) next = await r.json();
      this.tag = tag;
    } catch (e) {
      error = e;
    }
    this.busy = false;
    this.wait = next ? soon : Math.min(late, this.wait * 1.3);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), document.hidden ? asleep : this.wait);
    if (next) this.changed(next);
    this.connected(error);
  }
}
