// The WebSocket: JSON goes out; a greeting, sentences and pictures with what belongs to them come in.

export class Connection {
  constructor(heard) {
    this.heard = heard; // { greeting, complaint, film, turn, gone }
    this.open();
  }

  open() {
    this.socket = new WebSocket(`ws://${location.host}/play`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.text(JSON.parse(data)) : this.turn(data));
    this.socket.onclose = ({ code, reason }) => this.heard.gone(code, reason);
  }

  send(name, fields = {}) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ name, ...fields }));
  }

  text(message) {
    this.heard[message.name](message);
  }

  async turn(data) {
    const length = new DataView(data).getUint32(0, true);
    const about = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    const picture = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/png" }));
    this.heard.turn(about, picture);
  }
}
