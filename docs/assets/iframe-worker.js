/* Search from disk. A browser starts no worker from a file, so its script runs in a hidden frame. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "Search";
      document.body.append(frame);
      this.inside = frame.contentWindow;
      // What the script sends comes out here, in place of a message of the frame to itself.
      this.inside.postMessage = (data) => this.tell(this, data);
      this.inside.importScripts = (...addresses) =>
        addresses.reduce(
          (before, each) => before.then(() => this.load(new URL(each, address).href)),
          Promise.resolve(),
        );
      this.load(address).then(() => {
        const waiting = this.waiting;
        this.waiting = null;
        waiting.forEach((data) => this.tell(this.inside, data));
      });
    }

    load(address) {
      return new Promise((loaded, failed) => {
        const script = this.inside.document.createElement("script");
        script.src = address;
        script.onload = loaded;
        script.onerror = failed;
        this.inside.document.body.append(script);
      });
    }

    tell(whom, data) {
      const kind = whom === this ? MessageEvent : this.inside.MessageEvent;
      whom.dispatchEvent(new kind("message", { data }));
    }

    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.tell(this.inside, data);
    }
  };
}
