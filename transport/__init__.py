"""How bytes move: mailboxes in a server, links between servers, the wire codec, keys, the client. Knows no actor."""
