"""`python -m deploy.cli` is `touchline`: how the sandbox starts its children, whatever is on PATH."""

from deploy.cli.main import run

if __name__ == "__main__":
    run()
