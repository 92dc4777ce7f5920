"""Membership: SWIM with Lifeguard, as Serf has it, around a core that no clock and no network reach.

- the actor, which carries out what the core wants done: gossip.py, process.py
- the core, which knows where a message goes and what is due, and its parts: swim.py, parts.py
- what the parts have in common, want done, and say to each other: shared.py, effects.py, messages.py
- every number, by profile: config.py

Who is there:

- what is said of a server, and the table of all: member.py, roster.py
- which claims are believed, and objecting to those about oneself: beliefs.py, own.py, moves.py
- one live server for a name, and for an id: names.py, twins.py
- why a member is what it is; what can be asked of gossip: trail.py, report.py

Finding out:

- probes, probes by way of others, the time to object: prober.py, relays.py, suspicion.py
- how well this server itself is, and where on the network: awareness.py, coordinates.py
- what is due next: deadlines.py

Telling:

- what members say, to whom, and what is still to be told: conversation.py, gossiper.py, waves.py, broadcasts.py
- user events and queries as they travel: herald.py, dispatches.py, rumours.py
- what becomes of them, each heard once: user_events.py, queries.py, recent.py
- what a server says of itself, and expressions to choose by it: tags.py, pattern.py
- what the other actors of this server are told: news.py

Coming and going:

- whom to reach, who is let in, and who waits to hear how it went: seeker.py, admission.py, join_asks.py
- starting a cluster together: muster.py
- who was not let in, and leaving so that all know: turned_away.py, farewell.py
- what a run begins with, and what serf.db keeps for the next: beginning.py, keeper.py, memory.py
"""
