"""An HTTP server for the reference Vault, modeled on Vault's REST API.

`rest.answer_request` handles one request and needs only the standard library; `app` serves it with Starlette.
"""
