"""Who does what in a server: an actor for each concern, with a pure core in it wherever there is something to decide.

What an actor is, how it is told something and how it is restarted, is in runtime/.  One server, made of actors:

- its life, and the wiring of its actors: node.py, wiring.py
- who it is, what it was told, whose state it keeps: identity.py, config.py, app.py
- the process that is one server and nothing else: serving.py
- requests of the program around it: requests.py
- the disk and the network: persistence.py, links.py
- membership, consensus, what follows from both, the cluster's key: gossip/, raft/, reconciler/, keyring/
- what clients ask, and what goes on: gateway/, events/
- aiomonitor, for people who look inside: console.py, console_ports.py, console_commands.py
- leaving for good; cuts and crashes on purpose: leaving.py, faults.py

What people read:

- what `start` prints, how this program is called, answers as tables: banner.py, program.py, views.py
"""
