"""What Observatory loads through the entry point `skills`: by every command, so what does the work is imported late."""

from __future__ import annotations

from functools import partial

from observatory import (
    CommandFactory,
    Context,
    Registrar,
    Service,
    ServiceFactory,
    SkillSource,
    SkillSourceFactory,
    hookimpl,
)
from observatory_skills.group import skills
from observatory_skills.settings import RegistrySettings, SkillsSettings

settings_class = SkillsSettings


@hookimpl
def observatory_register_skill_sources(registrar: Registrar[SkillSourceFactory]) -> None:
    """Register the sources `folders` and `packages`."""
    if registrar.settings.paths():
        for name in ("folders", "packages"):
            registrar.register(name, partial(_make_source, name))


@hookimpl
def observatory_register_commands(registrar: Registrar[CommandFactory]) -> None:
    """Register `observatory skills`."""
    registrar.register("skills", skills)


@hookimpl
def observatory_register_services(registrar: Registrar[ServiceFactory]) -> None:
    """Register the registry `skills`, and those that the settings name."""
    registrar.register("skills", _make_registry)
    for name, settings in registrar.settings.registries.items():
        registrar.register(name, partial(_make_another, name, settings))


def _make_source(name: str, context: Context) -> SkillSource:
    from observatory_skills.sources import sources_of

    return sources_of(context.settings.paths())[name]


def _make_registry(context: Context) -> Service:
    from observatory_skills.registry import SkillRegistry

    settings: SkillsSettings = context.settings
    return SkillRegistry(
        sources=context.skill_sources,
        trusted=settings.trusted,
        watch=settings.watch,
        reload_interval=settings.reload_interval,
        pubsub=context.pubsub,
    )


def _make_another(name: str, settings: RegistrySettings, context: Context) -> Service:
    from observatory_skills.registry import SkillRegistry

    return SkillRegistry(
        settings.paths,
        name=name,
        watch=settings.watch,
        reload_interval=settings.reload_interval,
        pubsub=context.pubsub,
    )
