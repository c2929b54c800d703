// What kafkajs calls the settings of a Java properties file.

import { readFileSync } from 'node:fs';

const number = (name) => (text) => ({ [name]: Number(text) });
const CLIENT = {
  'client.id': (text) => ({ clientId: text }),
  'request.timeout.ms': number('requestTimeout'),
  'socket.connection.setup.timeout.ms': number('connectionTimeout'),
};
const ROLES = {
  producer: {
    'enable.idempotence': (text) => ({ idempotent: text === 'true' }),
    'max.in.flight.requests.per.connection': number('maxInFlightRequests'),
    'metadata.max.age.ms': number('metadataMaxAge'),
    retries: (text) => ({ retry: { retries: Number(text) } }),
  },
  consumer: {
    'fetch.max.wait.ms': number('maxWaitTimeInMs'),
    'heartbeat.interval.ms': number('heartbeatInterval'),
    'isolation.level': (text) => ({ readUncommitted: text === 'read_uncommitted' }),
    'max.poll.interval.ms': number('rebalanceTimeout'),
    'metadata.max.age.ms': number('metadataMaxAge'),
  },
};

// The settings of the client as a whole, and those of its producer or consumer.
export function translate(role, path) {
  const { client, rest } = security(path === undefined ? {} : properties(readFileSync(path, 'utf8')));
  const own = {};
  for (const [name, text] of Object.entries(rest)) {
    if (name in CLIENT) Object.assign(client, CLIENT[name](text));
    else if (name in ROLES[role]) Object.assign(own, ROLES[role][name](text));
    else throw new Error(`kafkajs has no setting for ${name}=${text}`);
  }
  return { client, own };
}

function security(settings) {
  const {
    'security.protocol': protocol = 'PLAINTEXT',
    'sasl.mechanism': mechanism = 'PLAIN',
    'sasl.jaas.config': login = '',
    'ssl.truststore.location': authorities,
    'ssl.truststore.type': authoritiesType = 'PEM',
    'ssl.keystore.location': own,
    'ssl.keystore.type': ownType = 'PEM',
    'ssl.key.password': passphrase,
    'ssl.endpoint.identification.algorithm': algorithm = 'https',
    ...rest
  } = settings;
  if (authoritiesType !== 'PEM' || ownType !== 'PEM') {
    throw new Error('ssl.truststore.type, ssl.keystore.type: kafkajs reads files of the type PEM');
  }
  const client = {};
  if (protocol.endsWith('SSL')) {
    client.ssl = {
      ...(authorities === undefined ? {} : { ca: readFileSync(authorities) }),
      ...(own === undefined ? {} : { cert: readFileSync(own), key: readFileSync(own), passphrase }),
      ...(algorithm === '' ? { checkServerIdentity: () => undefined } : {}),
    };
  }
  if (protocol.startsWith('SASL_')) client.sasl = { mechanism: mechanism.toLowerCase(), ...jaas(login) };
  return { client, rest };
}

function jaas(text) {
  const found = {};
  for (const [, name, value] of text.matchAll(/(\w+)\s*=\s*"((?:[^"\\]|\\.)*)"/g)) {
    found[name] = value.replace(/\\(.)/g, '$1');
  }
  const { username, password } = found;
  if (username === undefined || password === undefined) {
    throw new Error('sasl.jaas.config: expected username="..." password="..."');
  }
  return { username, password };
}

const ESCAPED = { t: '\t', n: '\n', r: '\r', f: '\f' };

function properties(text) {
  const settings = {};
  for (const raw of text.replace(/(?<!\\)((?:\\\\)*)\\\n[ \t]*/g, '$1').split('\n')) {
    const line = raw.trim();
    if (line === '' || line[0] === '#' || line[0] === '!') continue;
    const [, name, value] = line.match(/^([^=:\s]+)\s*[=:]?\s*(.*)$/);
    settings[name] = value.replace(/\\(u[0-9a-fA-F]{4}|.)/g, (_, escape) =>
      escape.length === 5 ? String.fromCharCode(parseInt(escape.slice(1), 16)) : (ESCAPED[escape] ?? escape),
    );
  }
  return settings;
}
