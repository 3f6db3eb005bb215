"""The pages: widgets and charts over the engine, which only `dashboard.gateway` calls."""
