"""How bytes move: mailboxes in a server, links between servers, the wire codec, keys, the client.  Knows no actor.

- a frame, and what a server says of itself in the first: wire.py, stamp.py
- where frames for one actor wait: mailbox.py
- all the traffic between servers: links/
- what clients and servers say to each other, and both clients: client/
- the key file, the keys of a rotation, who may connect: keys.py, ring.py, zap.py
- what the rest is written with: address.py, text.py, errors.py, limits.py
"""
