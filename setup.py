"""What `pyproject.toml` cannot say."""

from setuptools import Distribution, setup


class WithData(Distribution):
    """Has its data files installed with an editable install too, which setuptools forgets."""

    def has_data(self) -> bool:
        """Say so under the name by which `editable_wheel` asks."""
        return bool(self.has_data_files())


setup(distclass=WithData)
