"""Actors, their mailboxes and their restarts.  Knows of no cluster.

- what one writes to make an actor, and what it talks to others with: actor.py, ref.py, asks.py, timer.py
- who is there, and how a message gets from one to the other: system.py, messages.py
- what of an actor survives its restarts, and what dies with an incarnation: cell.py, inbox.py, life.py, lifecycle.py
- whose turn it is, and who takes too long: pump.py, watch.py
- restarts, by OTP's rules: supervisor.py, policy.py
- what could not be delivered, and how much of anything there may be: dead_letter.py, limits.py
"""
