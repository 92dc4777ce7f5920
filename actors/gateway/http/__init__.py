"""HTTP, which is a client of the gateway: the API, its description, and the status page.

- the actor, its paths, and a handler for each: http.py, app.py, api.py; its address: address.py
- who gets in, for what: door.py, guard.py, tokens.py
- server-sent events, and the status page (page/): watch.py, page_files.py
- how it fails, and how often: error.py, counts.py
- its description, metrics as text, transactions as JSON: openapi.py, exposition.py, txn_json.py
"""
