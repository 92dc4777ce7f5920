"""Who does what in a server: an actor for each concern, with a pure core in it wherever there is something to decide.

The runtime, which knows of no cluster:

- what one writes to make an actor, and what it talks to others with: actor.py, ref.py, asks.py, timer.py
- who is there, and how a message gets from one to the other: system.py, runtime_messages.py
- what of an actor survives its restarts, and what dies with an incarnation: cell.py, inbox.py, life.py, lifecycle.py
- whose turn it is, and who takes too long: pump.py, watch.py
- restarts, by OTP's rules: supervisor.py, policy.py
- what could not be delivered, and how much of anything there may be: dead_letter.py, limits.py

One server, made of actors:

- the wiring, who it is, what it was told, whose state it keeps: node.py, identity.py, config.py, app.py
- the disk and the network: persistence.py, links.py
- membership, consensus, what follows from both, the cluster's key: gossip/, raft/, reconciler/, keyring/
- what clients ask, and what goes on: gateway/, events/
- aiomonitor, for people who look inside: console.py, console_commands.py
- leaving for good; cuts and crashes on purpose: leaving.py, faults.py

What people read:

- what `start` prints, how this program is called, answers as tables: banner.py, program.py, views.py
"""
