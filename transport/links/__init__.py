"""Links between servers: a socket to each of the others, and one for all of theirs.

- all the traffic of a server: links.py, config.py
- sending, and what has become of the peer: dialer.py, link.py, probe.py, handshakes.py
- receiving, with one key or two: entrance.py, port.py, listener.py, demux.py
- who is at the other end, and what is not let in: sessions.py, admission.py, drops.py
- ZeroMQ's options; links cut on purpose: sockets.py, cuts.py
"""
