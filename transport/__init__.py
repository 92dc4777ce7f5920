"""How bytes move: mailboxes in a server, links between servers, the wire codec, keys, the client. Knows no actor.

- a frame, and what a server says of itself in the first: wire.py, stamp.py
- where frames for one actor wait: mailbox.py
- what the rest is written with: address.py, text.py, errors.py, limits.py

Between servers:

- all the traffic of a server: links.py, link_config.py
- sending, and what has become of the peer: dialer.py, link.py, probe.py, handshakes.py
- receiving, with one key or two: entrance.py, port.py, listener.py, demux.py
- who is at the other end, and what is not let in: sessions.py, admission.py, drops.py
- ZeroMQ's options; links cut on purpose: sockets.py, cuts.py

Keys:

- the key file, the keys of a rotation, who may connect: keys.py, ring.py, zap.py

Clients:

- what is said: client_protocol.py, session_protocol.py, attestation.py, stale.py
- for asyncio, by way of any server, trying again: client.py, client_asks.py, client_batches.py, client_session.py,
  client_attested.py
- what it is made of: client_link.py, client_socket.py, client_frames.py, client_pauses.py, client_errors.py
- for the command line, asking one server once: sync_client.py
"""
