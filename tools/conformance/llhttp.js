// node llhttp.js FILE: the inputs as parse-requests reads them, read by Node's llhttp.
'use strict';

const fs = require('fs');
const http = require('http');
const { Duplex } = require('stream');

const hex = (text) => Buffer.from(text, 'latin1').toString('hex');

/** What Node's server reads from one connection on which `input` is all that comes. */
function read(input) {
  return new Promise((resolve) => {
    const requests = [];
    let defect = null;
    let open = 0;
    const timer = setTimeout(() => end('silent'), 2000);
    const end = (reason) => {
      clearTimeout(timer);
      resolve({ requests, defect: defect || reason });
    };
    const server = http.createServer({ keepAlive: false, requestTimeout: 0 });
    const done = () => { if (open === 0 && defect) end(null); };
    const socket = new Duplex({
      read() {},
      write(_chunk, _encoding, callback) { callback(); },
      final(callback) { callback(); },
    });
    const take = (request, response) => {
      const body = [];
      const entry = {
        method: hex(request.method),
        target: hex(request.url),
        version: request.httpVersionMinor,
        headers: request.rawHeaders.map(hex),
        body: '',
      };
      open += 1;
      request.on('data', (chunk) => body.push(chunk));
      request.on('end', () => {
        entry.body = Buffer.concat(body).toString('hex');
        requests.push(entry);
        open -= 1;
        response.end();
        setImmediate(done);
      });
      request.on('error', () => { open -= 1; setImmediate(done); });
    };
    server.on('request', take);
    server.on('checkContinue', take);
    server.on('checkExpectation', take);
    server.on('connect', () => { defect = 'connect'; setImmediate(done); });
    server.on('clientError', (error) => {
      defect = error.code || String(error);
      setImmediate(done);
    });
    socket.on('close', () => setImmediate(() => end(null)));
    server.emit('connection', socket);
    socket.push(input);
    socket.push(null);
  });
}

async function main() {
  const lines = fs.readFileSync(process.argv[2], 'latin1').split('\n').slice(0, -1);
  for (const line of lines) {
    process.stdout.write(JSON.stringify(await read(Buffer.from(line, 'hex'))) + '\n');
  }
}

main();
