"""Who is there (gossip) and who takes part (Raft), held together: the leader closes the gap step by step.

- the actor, which asks both and makes one change at a time: reconciler.py, messages.py
- the core, which says what to change and why: plan.py
- the two views side by side, and who is up and healthy by both: scene.py
- who votes, who is removed, and what an operator decides about either: seats.py, cleanup.py, policy.py
"""
