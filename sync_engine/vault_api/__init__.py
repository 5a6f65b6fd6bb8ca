"""The reference Vault over HTTP, with the shape of Vault's REST API.

`rest.answer_request` answers one request and needs only the standard library; `app` serves it with Starlette.
"""
