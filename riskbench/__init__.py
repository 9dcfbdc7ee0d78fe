"""riskbench: rule simulation, threshold calibration and incident deep-dives for fraud analysts."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

#: Every public name and the module that holds it; loaded when first used.
_HOMES = {
    "AlertShift": "riskbench.explanation.alerts",
    "Appeals": "riskbench.metrics.disputes.appeals",
    "Appraisal": "riskbench.rules.appraisal.appraisal",
    "ApprovalRates": "riskbench.rules.growth.approval",
    "Baseline": "riskbench.calibration.baseline",
    "Breakdown": "riskbench.incidents.breakdown",
    "Brittleness": "riskbench.calibration.brittleness.brittleness",
    "Calibration": "riskbench.calibration.calibration",
    "CandidateRules": "riskbench.explanation.candidates",
    "CaseClusters": "riskbench.explanation.clusters",
    "Casebook": "riskbench.incidents.casebook",
    "Catalogue": "riskbench.runner.catalogue",
    "ChangeRequest": "riskbench.rules.comparison.request",
    "Checks": "riskbench.data.checks",
    "ColumnNotFoundError": "riskbench.errors",
    "Comparison": "riskbench.rules.comparison.comparison",
    "ConfigError": "riskbench.errors",
    "Containment": "riskbench.incidents.containment",
    "Costs": "riskbench.metrics.costs",
    "Coverage": "riskbench.incidents.coverage",
    "CutReading": "riskbench.calibration.reading",
    "DataError": "riskbench.errors",
    "Dataset": "riskbench.data.dataset",
    "Decision": "riskbench.calibration.decision",
    "Deviation": "riskbench.rules.deviation",
    "Deviations": "riskbench.rules.deviations",
    "DisputeProgrammes": "riskbench.metrics.disputes.programmes",
    "EarlyLabels": "riskbench.metrics.maturity.residual",
    "EngineError": "riskbench.errors",
    "Entities": "riskbench.incidents.entities",
    "EqualityPrice": "riskbench.calibration.fairness.equality_price",
    "EventExplanation": "riskbench.rules.event",
    "EventScore": "riskbench.explanation.event_score",
    "Explanation": "riskbench.explanation.explanation",
    "ExplanationBrowser": "riskbench.widgets.explanations",
    "Fairness": "riskbench.rules.fairness.fairness",
    "Feature": "riskbench.data.velocity",
    "Frontier": "riskbench.calibration.frontier.frontier",
    "FrontierPoint": "riskbench.calibration.frontier.frontier",
    "GridRun": "riskbench.runner.grid",
    "ImportedRules": "riskbench.rules.exchange.imports",
    "Incident": "riskbench.incidents.incident",
    "IncidentRecord": "riskbench.incidents.record",
    "InfeasibleError": "riskbench.errors",
    "InsultPrice": "riskbench.metrics.growth.insult",
    "Investigation": "riskbench.incidents.investigation",
    "LabelRecipe": "riskbench.data.verdicts",
    "LaunchPlan": "riskbench.rules.launch.launch",
    "LaunchVerdict": "riskbench.rules.launch.verdict",
    "LetThroughPlan": "riskbench.rules.selection.let_through",
    "Links": "riskbench.incidents.links",
    "ListAudit": "riskbench.rules.list_audit",
    "Marketplace": "riskbench.data.marketplace.market",
    "Maturity": "riskbench.metrics.maturity.maturity",
    "MinedExceptions": "riskbench.rules.mining.exceptions",
    "MinedRules": "riskbench.rules.mining.mined_rules",
    "MissingDependencyError": "riskbench.errors",
    "Optimisation": "riskbench.rules.optimiser.optimisation",
    "ParameterError": "riskbench.errors",
    "PlaybookBrowser": "riskbench.widgets.catalogue",
    "PlaybookError": "riskbench.errors",
    "PlaybookForm": "riskbench.widgets.form",
    "PooledCuts": "riskbench.calibration.pooled.pooled_cuts",
    "Programme": "riskbench.data.programmes.programme",
    "Proof": "riskbench.rules.exchange.proof",
    "Queue": "riskbench.metrics.queue.queue",
    "Ring": "riskbench.incidents.ring",
    "RingViewer": "riskbench.widgets.rings",
    "RiskbenchError": "riskbench.errors",
    "Roles": "riskbench.data.roles",
    "Rule": "riskbench.rules.rule",
    "RuleBook": "riskbench.rules.book",
    "RuleDrift": "riskbench.rules.drift",
    "RuleError": "riskbench.errors",
    "RuleHealth": "riskbench.rules.health",
    "RuleLab": "riskbench.widgets.rule_lab",
    "Run": "riskbench.runner.run",
    "RunBrowser": "riskbench.widgets.browser",
    "RunDiff": "riskbench.runner.difference",
    "Scan": "riskbench.incidents.scan",
    "SegmentExplorer": "riskbench.widgets.segments",
    "SelectiveLabels": "riskbench.rules.selection.selective_labels",
    "SignedChange": "riskbench.rules.comparison.signing",
    "Simulation": "riskbench.rules.simulation",
    "Staffing": "riskbench.metrics.queue.staffing",
    "StoreError": "riskbench.errors",
    "Surface": "riskbench.calibration.surface.surface",
    "Threshold": "riskbench.data.programmes.programme",
    "ThresholdPanel": "riskbench.widgets.threshold",
    "Timeline": "riskbench.incidents.timeline",
    "Verification": "riskbench.runner.verification",
    "WhatIf": "riskbench.rules.appraisal.what_if",
    "appeals": "riskbench.metrics.disputes.appeals",
    "appraise": "riskbench.rules.appraisal.appraisal",
    "approval_rates": "riskbench.rules.growth.approval",
    "at_least": "riskbench.metrics.constraints",
    "at_most": "riskbench.metrics.constraints",
    "audit_lists": "riskbench.rules.list_audit",
    "brittleness": "riskbench.calibration.brittleness.brittleness",
    "calibrate": "riskbench.calibration.calibration",
    "check": "riskbench.data.checks",
    "compare": "riskbench.rules.comparison.comparison",
    "decide": "riskbench.calibration.decision",
    "diagnose_rules": "riskbench.rules.health",
    "diff_runs": "riskbench.runner.difference",
    "dispute_programmes": "riskbench.metrics.disputes.programmes",
    "early_labels": "riskbench.metrics.maturity.residual",
    "explain": "riskbench.explanation.explanation",
    "explain_alerts": "riskbench.explanation.alerts",
    "explain_event": "riskbench.rules.event",
    "explanation_browser": "riskbench.widgets.explanations",
    "fairness": "riskbench.rules.fairness.fairness",
    "find_playbooks": "riskbench.runner.catalogue",
    "frontier": "riskbench.calibration.frontier.frontier",
    "import_rules": "riskbench.rules.exchange.imports",
    "insult_price": "riskbench.metrics.growth.insult",
    "investigate": "riskbench.incidents.investigation",
    "judge_launch": "riskbench.rules.launch.verdict",
    "marketplace": "riskbench.data.marketplace.market",
    "maturity": "riskbench.metrics.maturity.maturity",
    "mine_exceptions": "riskbench.rules.mining.exceptions",
    "mine_rules": "riskbench.rules.mining.mined_rules",
    "open_casebook": "riskbench.incidents.casebook",
    "open_record": "riskbench.incidents.opening",
    "optimise": "riskbench.rules.optimiser.optimisation",
    "plan_launch": "riskbench.rules.launch.launch",
    "plan_let_through": "riskbench.rules.selection.let_through",
    "playbook_browser": "riskbench.widgets.catalogue",
    "playbook_form": "riskbench.widgets.form",
    "pool_cuts": "riskbench.calibration.pooled.pooled_cuts",
    "price_deviations": "riskbench.rules.deviations",
    "price_equality": "riskbench.calibration.fairness.equality_price",
    "programme_limit": "riskbench.metrics.disputes.programmes",
    "prove": "riskbench.rules.exchange.proof",
    "read": "riskbench.data.read",
    "read_programmes": "riskbench.data.programmes.programme",
    "request_change": "riskbench.rules.comparison.request",
    "ring_viewer": "riskbench.widgets.rings",
    "rule_lab": "riskbench.widgets.rule_lab",
    "run": "riskbench.runner.run",
    "run_browser": "riskbench.widgets.browser",
    "run_grid": "riskbench.runner.grid",
    "sample": "riskbench.data.marketplace.market",
    "scan": "riskbench.incidents.scan",
    "score_baseline": "riskbench.calibration.baseline",
    "segment_explorer": "riskbench.widgets.segments",
    "selective_labels": "riskbench.rules.selection.selective_labels",
    "simulate": "riskbench.rules.simulation",
    "simulate_queue": "riskbench.metrics.queue.queue",
    "staffing": "riskbench.metrics.queue.staffing",
    "start": "riskbench.runner.session",
    "surface": "riskbench.calibration.surface.surface",
    "threshold_panel": "riskbench.widgets.threshold",
    "velocity": "riskbench.data.velocity",
    "verify_run": "riskbench.runner.verification",
    "watch_rules": "riskbench.rules.drift",
}

__all__ = sorted([*_HOMES, "__version__"])  # noqa: PLE0605

if TYPE_CHECKING:
    from riskbench.calibration.baseline import Baseline as Baseline
    from riskbench.calibration.baseline import score_baseline as score_baseline
    from riskbench.calibration.brittleness.brittleness import Brittleness as Brittleness
    from riskbench.calibration.brittleness.brittleness import brittleness as brittleness
    from riskbench.calibration.calibration import Calibration as Calibration
    from riskbench.calibration.calibration import calibrate as calibrate
    from riskbench.calibration.decision import Decision as Decision
    from riskbench.calibration.decision import decide as decide
    from riskbench.calibration.fairness.equality_price import EqualityPrice as EqualityPrice
    from riskbench.calibration.fairness.equality_price import price_equality as price_equality
    from riskbench.calibration.frontier.frontier import Frontier as Frontier
    from riskbench.calibration.frontier.frontier import FrontierPoint as FrontierPoint
    from riskbench.calibration.frontier.frontier import frontier as frontier
    from riskbench.calibration.pooled.pooled_cuts import PooledCuts as PooledCuts
    from riskbench.calibration.pooled.pooled_cuts import pool_cuts as pool_cuts
    from riskbench.calibration.reading import CutReading as CutReading
    from riskbench.calibration.surface.surface import Surface as Surface
    from riskbench.calibration.surface.surface import surface as surface
    from riskbench.data.checks import Checks as Checks
    from riskbench.data.checks import check as check
    from riskbench.data.dataset import Dataset as Dataset
    from riskbench.data.marketplace.market import Marketplace as Marketplace
    from riskbench.data.marketplace.market import marketplace as marketplace
    from riskbench.data.marketplace.market import sample as sample
    from riskbench.data.programmes.programme import Programme as Programme
    from riskbench.data.programmes.programme import Threshold as Threshold
    from riskbench.data.programmes.programme import read_programmes as read_programmes
    from riskbench.data.read import read as read
    from riskbench.data.roles import Roles as Roles
    from riskbench.data.velocity import Feature as Feature
    from riskbench.data.velocity import velocity as velocity
    from riskbench.data.verdicts import LabelRecipe as LabelRecipe
    from riskbench.errors import ColumnNotFoundError as ColumnNotFoundError
    from riskbench.errors import ConfigError as ConfigError
    from riskbench.errors import DataError as DataError
    from riskbench.errors import EngineError as EngineError
    from riskbench.errors import InfeasibleError as InfeasibleError
    from riskbench.errors import MissingDependencyError as MissingDependencyError
    from riskbench.errors import ParameterError as ParameterError
    from riskbench.errors import PlaybookError as PlaybookError
    from riskbench.errors import RiskbenchError as RiskbenchError
    from riskbench.errors import RuleError as RuleError
    from riskbench.errors import StoreError as StoreError
    from riskbench.explanation.alerts import AlertShift as AlertShift
    from riskbench.explanation.alerts import explain_alerts as explain_alerts
    from riskbench.explanation.candidates import CandidateRules as CandidateRules
    from riskbench.explanation.clusters import CaseClusters as CaseClusters
    from riskbench.explanation.event_score import EventScore as EventScore
    from riskbench.explanation.explanation import Explanation as Explanation
    from riskbench.explanation.explanation import explain as explain
    from riskbench.incidents.breakdown import Breakdown as Breakdown
    from riskbench.incidents.casebook import Casebook as Casebook
    from riskbench.incidents.casebook import open_casebook as open_casebook
    from riskbench.incidents.containment import Containment as Containment
    from riskbench.incidents.coverage import Coverage as Coverage
    from riskbench.incidents.entities import Entities as Entities
    from riskbench.incidents.incident import Incident as Incident
    from riskbench.incidents.investigation import Investigation as Investigation
    from riskbench.incidents.investigation import investigate as investigate
    from riskbench.incidents.links import Links as Links
    from riskbench.incidents.opening import open_record as open_record
    from riskbench.incidents.record import IncidentRecord as IncidentRecord
    from riskbench.incidents.ring import Ring as Ring
    from riskbench.incidents.scan import Scan as Scan
    from riskbench.incidents.scan import scan as scan
    from riskbench.incidents.timeline import Timeline as Timeline
    from riskbench.metrics.constraints import at_least as at_least
    from riskbench.metrics.constraints import at_most as at_most
    from riskbench.metrics.costs import Costs as Costs
    from riskbench.metrics.disputes.appeals import Appeals as Appeals
    from riskbench.metrics.disputes.appeals import appeals as appeals
    from riskbench.metrics.disputes.programmes import DisputeProgrammes as DisputeProgrammes
    from riskbench.metrics.disputes.programmes import dispute_programmes as dispute_programmes
    from riskbench.metrics.disputes.programmes import programme_limit as programme_limit
    from riskbench.metrics.growth.insult import InsultPrice as InsultPrice
    from riskbench.metrics.growth.insult import insult_price as insult_price
    from riskbench.metrics.maturity.maturity import Maturity as Maturity
    from riskbench.metrics.maturity.maturity import maturity as maturity
    from riskbench.metrics.maturity.residual import EarlyLabels as EarlyLabels
    from riskbench.metrics.maturity.residual import early_labels as early_labels
    from riskbench.metrics.queue.queue import Queue as Queue
    from riskbench.metrics.queue.queue import simulate_queue as simulate_queue
    from riskbench.metrics.queue.staffing import Staffing as Staffing
    from riskbench.metrics.queue.staffing import staffing as staffing
    from riskbench.rules.appraisal.appraisal import Appraisal as Appraisal
    from riskbench.rules.appraisal.appraisal import appraise as appraise
    from riskbench.rules.appraisal.what_if import WhatIf as WhatIf
    from riskbench.rules.book import RuleBook as RuleBook
    from riskbench.rules.comparison.comparison import Comparison as Comparison
    from riskbench.rules.comparison.comparison import compare as compare
    from riskbench.rules.comparison.request import ChangeRequest as ChangeRequest
    from riskbench.rules.comparison.request import request_change as request_change
    from riskbench.rules.comparison.signing import SignedChange as SignedChange
    from riskbench.rules.deviation import Deviation as Deviation
    from riskbench.rules.deviations import Deviations as Deviations
    from riskbench.rules.deviations import price_deviations as price_deviations
    from riskbench.rules.drift import RuleDrift as RuleDrift
    from riskbench.rules.drift import watch_rules as watch_rules
    from riskbench.rules.event import EventExplanation as EventExplanation
    from riskbench.rules.event import explain_event as explain_event
    from riskbench.rules.exchange.imports import ImportedRules as ImportedRules
    from riskbench.rules.exchange.imports import import_rules as import_rules
    from riskbench.rules.exchange.proof import Proof as Proof
    from riskbench.rules.exchange.proof import prove as prove
    from riskbench.rules.fairness.fairness import Fairness as Fairness
    from riskbench.rules.fairness.fairness import fairness as fairness
    from riskbench.rules.growth.approval import ApprovalRates as ApprovalRates
    from riskbench.rules.growth.approval import approval_rates as approval_rates
    from riskbench.rules.health import RuleHealth as RuleHealth
    from riskbench.rules.health import diagnose_rules as diagnose_rules
    from riskbench.rules.launch.launch import LaunchPlan as LaunchPlan
    from riskbench.rules.launch.launch import plan_launch as plan_launch
    from riskbench.rules.launch.verdict import LaunchVerdict as LaunchVerdict
    from riskbench.rules.launch.verdict import judge_launch as judge_launch
    from riskbench.rules.list_audit import ListAudit as ListAudit
    from riskbench.rules.list_audit import audit_lists as audit_lists
    from riskbench.rules.mining.exceptions import MinedExceptions as MinedExceptions
    from riskbench.rules.mining.exceptions import mine_exceptions as mine_exceptions
    from riskbench.rules.mining.mined_rules import MinedRules as MinedRules
    from riskbench.rules.mining.mined_rules import mine_rules as mine_rules
    from riskbench.rules.optimiser.optimisation import Optimisation as Optimisation
    from riskbench.rules.optimiser.optimisation import optimise as optimise
    from riskbench.rules.rule import Rule as Rule
    from riskbench.rules.selection.let_through import LetThroughPlan as LetThroughPlan
    from riskbench.rules.selection.let_through import plan_let_through as plan_let_through
    from riskbench.rules.selection.selective_labels import SelectiveLabels as SelectiveLabels
    from riskbench.rules.selection.selective_labels import selective_labels as selective_labels
    from riskbench.rules.simulation import Simulation as Simulation
    from riskbench.rules.simulation import simulate as simulate
    from riskbench.runner.catalogue import Catalogue as Catalogue
    from riskbench.runner.catalogue import find_playbooks as find_playbooks
    from riskbench.runner.difference import RunDiff as RunDiff
    from riskbench.runner.difference import diff_runs as diff_runs
    from riskbench.runner.grid import GridRun as GridRun
    from riskbench.runner.grid import run_grid as run_grid
    from riskbench.runner.run import Run as Run
    from riskbench.runner.run import run as run
    from riskbench.runner.session import start as start
    from riskbench.runner.verification import Verification as Verification
    from riskbench.runner.verification import verify_run as verify_run
    from riskbench.widgets.browser import RunBrowser as RunBrowser
    from riskbench.widgets.browser import run_browser as run_browser
    from riskbench.widgets.catalogue import PlaybookBrowser as PlaybookBrowser
    from riskbench.widgets.catalogue import playbook_browser as playbook_browser
    from riskbench.widgets.explanations import ExplanationBrowser as ExplanationBrowser
    from riskbench.widgets.explanations import explanation_browser as explanation_browser
    from riskbench.widgets.form import PlaybookForm as PlaybookForm
    from riskbench.widgets.form import playbook_form as playbook_form
    from riskbench.widgets.rings import RingViewer as RingViewer
    from riskbench.widgets.rings import ring_viewer as ring_viewer
    from riskbench.widgets.rule_lab import RuleLab as RuleLab
    from riskbench.widgets.rule_lab import rule_lab as rule_lab
    from riskbench.widgets.segments import SegmentExplorer as SegmentExplorer
    from riskbench.widgets.segments import segment_explorer as segment_explorer
    from riskbench.widgets.threshold import ThresholdPanel as ThresholdPanel
    from riskbench.widgets.threshold import threshold_panel as threshold_panel


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'riskbench' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
