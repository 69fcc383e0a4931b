/** Ways to send events that this server understands, with its own address in them. */

export type Shipper = "curl" | "file" | "vector" | "fluentbit" | "rsyslog";

export const SHIPPERS: { value: Shipper; label: string }[] = [
  { value: "curl", label: "curl" },
  { value: "file", label: "A log file" },
  { value: "vector", label: "Vector" },
  { value: "fluentbit", label: "Fluent Bit" },
  { value: "rsyslog", label: "rsyslog" },
];

export function snippet(shipper: Shipper, origin: string, env: string): string {
  const address = new URL(origin);
  const scope = env === "default" ? "" : `&env=${encodeURIComponent(env)}`;
  const port = address.port || (address.protocol === "https:" ? "443" : "80");
  const tls = address.protocol === "https:";
  switch (shipper) {
    case "curl":
      return `curl -X POST '${origin}/api/ingest?index=first${scope}' \\
  -d '{"level":"info","service":"hello","message":"my first event"}'`;
    case "file":
      return `# any text file, a line is an event
curl -X POST '${origin}/api/ingest/raw?format=text&index=files${scope}' --data-binary @/var/log/syslog

# or, with a progress bar, and going on where it stopped
helios ingest /var/log/syslog --server ${origin}`;
    case "vector":
      return `# vector.yaml
sinks:
  helios:
    type: http
    inputs: ["*"]
    uri: "${origin}/api/ingest?index=vector${scope}"
    compression: zstd
    encoding: { codec: json }
    framing: { method: newline_delimited }
    batch: { max_bytes: 4000000, timeout_secs: 1 }`;
    case "fluentbit":
      return `# fluent-bit.conf
[OUTPUT]
    Name              http
    Match             *
    Host              ${address.hostname}
    Port              ${port}
    URI               /api/ingest?index=fluentbit${scope}
    Format            json_lines
    Json_date_key     timestamp
    Json_date_format  iso8601
    compress          gzip
    tls               ${tls ? "on" : "off"}`;
    case "rsyslog":
      return `# rsyslog.conf, with the omhttp module
module(load="omhttp")
template(name="helios" type="list" option.jsonf="on") {
  property(outname="timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="level" name="syslogseverity-text" format="jsonf")
  property(outname="source" name="programname" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}
action(type="omhttp" server="${address.hostname}" serverport="${port}" usehttps="${tls ? "on" : "off"}"
       restpath="api/ingest?index=syslog${scope}" batch="on" batch.format="newline" template="helios")`;
  }
}
