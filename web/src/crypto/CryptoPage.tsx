import type { CryptoAnswer } from "../api/types";
import { Beside } from "../app/Beside";
import { Fact, Facts, Group } from "../ui/Facts";
import { Icon } from "../ui/Icon";
import { plural } from "../ui/numbers";
import { Words } from "../ui/Words";
import css from "./Crypto.module.css";
import { Connections, Hashes, Keys, Listeners, Services } from "./Tables";
import { useCrypto } from "./useCrypto";
import { showVersion, type Verdict, verdict } from "./verdict";

/** The cryptographic module, what stands on it, and what this server does with it. */
export function CryptoPage() {
  const crypto = useCrypto();
  const look = crypto.data;
  return (
    <Beside title="Cryptography" id="crypto" label="Cryptography of this server" summary={look && <Summary verdict={verdict(look.answer)} />} askedMs={look?.askedMs} error={crypto.error}>
      {look && <State answer={look.answer} />}
    </Beside>
  );
}

function Summary({ verdict }: { verdict: Verdict }) {
  return verdict.tone === "error" ? <strong className={css.needs}>{verdict.short}</strong> : verdict.short;
}

function State({ answer }: { answer: CryptoAnswer }) {
  return (
    <>
      <Banner verdict={verdict(answer)} />
      {answer.warnings.length > 0 && <ul className={css.note}>{answer.warnings.map((warning) => <li key={warning}>{warning}</li>)}</ul>}
      <Facts>
        <ModuleFacts answer={answer} />
        <TlsFacts answer={answer} />
      </Facts>
      <Listeners answer={answer} />
      <Connections answer={answer} />
      <Keys answer={answer} />
      <Services answer={answer} />
      <Hashes answer={answer} />
      <p className={css.note}>All of this is about the one process that answers here: each node of a cluster says it for itself. The module is shown as it was when the process started; connections and seals are counted since then.</p>
    </>
  );
}

/** What this build is, in words and with an icon: colour says nothing by itself. */
function Banner({ verdict: { tone, icon, word, what, problems, todo } }: { verdict: Verdict }) {
  return (
    <section aria-labelledby="crypto-verdict" className={css.banner} data-tone={tone} data-testid="verdict">
      <span className={css.icon}><Icon name={icon} /></span>
      <div>
        <h2 id="crypto-verdict">{word}</h2>
        <p>{what}</p>
        {problems.length > 0 && <ul className={css.problems}>{problems.map((problem) => <li key={problem}>{problem}</li>)}</ul>}
        {todo !== "" && <p className={css.todo}><span>What to do</span> <Words text={todo} /></p>}
      </div>
    </section>
  );
}

const SELF_TESTS: Record<CryptoAnswer["self_tests"], string> = { passed: "passed", failed: "failed", none: "none that can be asked for in this build" };

function ModuleFacts({ answer }: { answer: CryptoAnswer }) {
  return (
    <Group id="crypto-module" title="Module">
      <Fact name="Module" title="What the module says of itself">{answer.module}</Fact>
      {answer.module_expected !== null && <Fact name="Expected" title="What the module must say of itself by the profile">{answer.module_expected}</Fact>}
      <Fact name="Certificate">{answer.certificate}</Fact>
      <Fact name="Profile" title="What pins the module">{answer.profile === "none" ? "none: only FIPS builds have one" : answer.profile}</Fact>
      <Fact name="Approved mode">{answer.approved_mode ? "on" : "off"}</Fact>
      <Fact name="Self-tests">{SELF_TESTS[answer.self_tests]}</Fact>
      <Fact name="Service indicator" title="Whether what the module does not count as an approved service is an error">{answer.service_indicator}</Fact>
      <Fact name="HeliosLogs">{answer.version}, {answer.build === "fips" ? "FIPS build" : "default build"}</Fact>
    </Group>
  );
}

function TlsFacts({ answer: { tls } }: { answer: CryptoAnswer }) {
  return (
    <Group id="crypto-tls" title="What TLS may speak, in and out">
      <Fact name="On the module's validated form">{tls.fips ? "yes, all of it" : "no"}</Fact>
      <Fact name="Versions">{tls.versions.map(showVersion).join(", ")}</Fact>
      <Fact name="Suites"><Lines of={tls.suites} /></Fact>
      <Fact name="Groups"><Lines of={tls.groups} /></Fact>
      <Fact name="Extended master secret" title="In TLS 1.2">{tls.extended_master_secret}</Fact>
      <Fact name="RSA keys">at least {plural(Number(tls.rsa_bits_min), "bit")}</Fact>
    </Group>
  );
}

function Lines({ of }: { of: string[] }) {
  return <>{of.map((line) => <span key={line} className={css.line}>{line}</span>)}</>;
}
