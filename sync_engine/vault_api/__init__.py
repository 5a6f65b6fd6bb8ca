"""The reference Vault and its devices over real HTTP.

`rest` answers the shape of Vault's REST API and `env` lets a device run outside the simulator. All but `app` and
`env` need only the standard library; `app` wraps Starlette around the one function `rest.answer`.
"""
