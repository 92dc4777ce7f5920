"""The cluster's key while the cluster runs: which keys each server accepts and uses, and the way from one to the next.

- the actor, which takes steps and brings back who missed one: keyring.py, messages.py
- the ring that this server's actors share: held.py
- the order of a rotation, for the command that drives it: rotation.py
"""
