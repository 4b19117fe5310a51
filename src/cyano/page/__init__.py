"""The page and the HTTP service of `cyano serve`.

    from cyano.page.server import serve
    from cyano.page.settings import Settings

    serve(Settings(port=8080), print)

The process that talks to the network holds no torch: `work/` is another process, which decodes images and runs
networks, and is started again when it ends. How to use it: docs/how-to/serve.md.
"""
