"""A client's side of the wire, and what client and server say to each other.  What is asked is bytes here.

- what is said: protocol.py, session_protocol.py, attestation.py, stale.py
- for asyncio, by way of any server, trying again: client.py, asks.py, batches.py, session.py, attested.py
- what it is made of: link.py, dealer.py, frames.py, pauses.py, errors.py
- for the command line, asking one server once: sync_client.py
"""
