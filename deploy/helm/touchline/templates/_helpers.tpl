{{- define "touchline.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{/* What selects the pods of a component: never changes in an upgrade. */}}
{{- define "touchline.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "touchline.labels" -}}
{{ include "touchline.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "touchline.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* One setting a line. A setting that the chart makes itself is refused in .Values.settings: it would be there twice. */}}
{{- define "touchline.env" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $made := dict
  "TOUCHLINE_KAFKA_BROKERS" (required "kafka.brokers: name your Kafka's bootstrap servers, host:port" $values.kafka.brokers)
  "TOUCHLINE_PARTITIONS" ($values.kafka.partitions | toString)
  "TOUCHLINE_REPLICATION" ($values.kafka.replication | toString)
  "TOUCHLINE_PSEUDONYM_KEY" "@/run/secrets/touchline/pseudonym-key"
-}}
{{- if .clickhouseUrl }}{{ $_ := set $made "TOUCHLINE_CLICKHOUSE_URL" .clickhouseUrl }}
{{- else if .clickhouse }}{{ $_ := set $made "TOUCHLINE_CLICKHOUSE_URL" "@/run/secrets/touchline/clickhouse-url" }}{{ end -}}
{{- if $values.kafka.topicPrefix }}{{ $_ := set $made "TOUCHLINE_TOPIC_PREFIX" $values.kafka.topicPrefix }}{{ end -}}
{{- if .metrics }}
{{- $_ := set $made "TOUCHLINE_METRICS_HOST" "0.0.0.0" }}
{{- $_ := set $made "TOUCHLINE_METRICS_PORT" ($values.metrics.port | toString) }}
{{- end -}}
{{- if and .analyst $values.secrets.analystPassword.name }}
{{- $_ := set $made "TOUCHLINE_ANALYST_USER" $values.analystUser }}
{{- $_ := set $made "TOUCHLINE_ANALYST_PASSWORD" "@/run/secrets/touchline/analyst-password" }}
{{- end -}}
{{- if .collector }}{{ $_ := set $made "TOUCHLINE_COLLECTOR_KEYS" "/run/secrets/touchline/collector-keys.toml" }}{{ end -}}
{{- if .subscribers }}
{{- $_ := set $made "TOUCHLINE_SUBSCRIBER_KEYS" "/run/secrets/touchline/subscriber-keys.toml" }}
{{- $_ := set $made "TOUCHLINE_SUBSCRIBER_TABLE" "/var/lib/touchline/states.db" }}
{{- end -}}
{{- if .endpoints }}{{ $_ := set $made "TOUCHLINE_WEBHOOKS" "/run/secrets/touchline/webhooks.toml" }}{{ end -}}
{{- if $values.secrets.kafkaPassword.name }}{{ $_ := set $made "TOUCHLINE_KAFKA_PASSWORD" "@/run/secrets/touchline/kafka-password" }}{{ end -}}
{{- if $values.secrets.kafkaCa.name }}{{ $_ := set $made "TOUCHLINE_KAFKA_CA" "/run/secrets/touchline/kafka-ca.crt" }}{{ end -}}
{{- if $values.secrets.kafkaCertificate.name }}
{{- $_ := required "secrets.kafkaKey.name: a certificate needs the Secret of its private key" $values.secrets.kafkaKey.name }}
{{- $_ := set $made "TOUCHLINE_KAFKA_CERTIFICATE" "/run/secrets/touchline/kafka.crt" }}
{{- $_ := set $made "TOUCHLINE_KAFKA_KEY" "/run/secrets/touchline/kafka.key" }}
{{- end -}}
{{- if $values.secrets.previousPseudonymKey.name }}
{{- $_ := required "settings.TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID: name the key before (docs/security.md)" $values.settings.TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID }}
{{- $_ := set $made "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY" "@/run/secrets/touchline/previous-pseudonym-key" }}
{{- end -}}
{{- if $values.files.identityPolicy }}{{ $_ := set $made "TOUCHLINE_IDENTITY_POLICY" "/etc/touchline/identity.toml" }}{{ end -}}
{{- if $values.files.journeyRules }}{{ $_ := set $made "TOUCHLINE_JOURNEY_RULES" "/etc/touchline/journey.toml" }}{{ end -}}
{{- if $values.files.catalogue }}{{ $_ := set $made "TOUCHLINE_CATALOGUE" "/etc/touchline/catalogue.toml" }}{{ end -}}
{{- range $name, $_ := $values.settings }}
{{- if hasKey $made $name }}{{ fail (printf "settings.%s: the chart sets it from another value" $name) }}{{ end }}
{{- end -}}
{{- range $name, $value := merge (dict) $made $values.settings }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end -}}
{{- end }}

{{- define "touchline.hasFiles" -}}
{{- if or .Values.files.identityPolicy .Values.files.journeyRules .Values.files.catalogue }}yes{{ end -}}
{{- end }}

{{- define "touchline.files" -}}
{{- with .Values.files.identityPolicy }}
identity.toml: {{ . | quote }}
{{- end }}
{{- with .Values.files.journeyRules }}
journey.toml: {{ . | quote }}
{{- end }}
{{- with .Values.files.catalogue }}
catalogue.toml: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "touchline.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "touchline.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* A pod's template: metadata and spec. Takes root, component, args, resources and what touchline.env takes; http: the port that it serves;
     files: the name of the ConfigMap with the TOML files. */}}
{{- define "touchline.pod" -}}
{{- $values := .root.Values -}}
metadata:
  labels: {{- include "touchline.labels" . | nindent 4 }}
  annotations:
    checksum/files: {{ include "touchline.files" .root | sha256sum }}
    {{- if and .metrics $values.metrics.annotations }}
    prometheus.io/scrape: "true"
    prometheus.io/port: {{ $values.metrics.port | quote }}
    {{- end }}
    {{- with $values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- if .serviceAccount }}
  serviceAccountName: {{ include "touchline.name" .root }}
  {{- end }}
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .grace | default 30 }}
  securityContext: {{- include "touchline.podSecurity" . | nindent 4 }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .metrics }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "touchline.selector" . | nindent 10 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "touchline.image" .root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ toJson .args }}
      env: {{- include "touchline.env" . | nindent 8 }}
      securityContext: {{- include "touchline.containerSecurity" . | nindent 8 }}
      resources: {{- toYaml .resources | nindent 8 }}
      {{- if .metrics }}
      ports:
        - {name: metrics, containerPort: {{ $values.metrics.port }}}
        {{- with .http }}
        - {name: http, containerPort: {{ . }}}
        {{- end }}
      # a worker that takes partitions over first reads their state: not ready, and well
      startupProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 5
        failureThreshold: 24
      livenessProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 5
        timeoutSeconds: 5
      {{- end }}
      volumeMounts:
        - {name: secrets, mountPath: /run/secrets/touchline, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- if include "touchline.hasFiles" .root }}
        - {name: files, mountPath: /etc/touchline, readOnly: true}
        {{- end }}
        {{- with .state }}
        - {name: state, mountPath: /var/lib/touchline}
        {{- end }}
  volumes:
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- include "touchline.secret" (list $values.secrets.pseudonymKey "pseudonym-key") | nindent 10 }}
          {{- if and .clickhouse (not .clickhouseUrl) }}
          {{- include "touchline.secret" (list $values.secrets.clickhouseUrl "clickhouse-url") | nindent 10 }}
          {{- end }}
          {{- if and .clickhouse $values.secrets.clickhouseCa.name }}
          {{- include "touchline.secret" (list $values.secrets.clickhouseCa "clickhouse-ca.crt") | nindent 10 }}
          {{- end }}
          {{- if and .analyst $values.secrets.analystPassword.name }}
          {{- include "touchline.secret" (list $values.secrets.analystPassword "analyst-password") | nindent 10 }}
          {{- end }}
          {{- if .collector }}
          {{- $_ := required "secrets.collectorKeys.name: the collector needs a Secret with its write keys (docs/collector.md)" $values.secrets.collectorKeys.name }}
          {{- include "touchline.secret" (list $values.secrets.collectorKeys "collector-keys.toml") | nindent 10 }}
          {{- end }}
          {{- if .subscribers }}
          {{- $_ := required "secrets.subscriberKeys.name: serve needs a Secret with its API keys (docs/subscribers.md)" $values.secrets.subscriberKeys.name }}
          {{- include "touchline.secret" (list $values.secrets.subscriberKeys "subscriber-keys.toml") | nindent 10 }}
          {{- end }}
          {{- if .endpoints }}
          {{- $_ := required "secrets.webhooks.name: webhooks need a Secret with webhooks.toml (docs/webhooks.md)" $values.secrets.webhooks.name }}
          {{- include "touchline.secret" (list $values.secrets.webhooks "webhooks.toml") | nindent 10 }}
          {{- end }}
          {{- if $values.secrets.kafkaPassword.name }}
          {{- include "touchline.secret" (list $values.secrets.kafkaPassword "kafka-password") | nindent 10 }}
          {{- end }}
          {{- if $values.secrets.kafkaCa.name }}
          {{- include "touchline.secret" (list $values.secrets.kafkaCa "kafka-ca.crt") | nindent 10 }}
          {{- end }}
          {{- if $values.secrets.kafkaCertificate.name }}
          {{- include "touchline.secret" (list $values.secrets.kafkaCertificate "kafka.crt") | nindent 10 }}
          {{- include "touchline.secret" (list $values.secrets.kafkaKey "kafka.key") | nindent 10 }}
          {{- end }}
          {{- if $values.secrets.previousPseudonymKey.name }}
          {{- include "touchline.secret" (list $values.secrets.previousPseudonymKey "previous-pseudonym-key") | nindent 10 }}
          {{- end }}
    - name: tmp
      emptyDir: {sizeLimit: 256Mi}
    {{- if include "touchline.hasFiles" .root }}
    - name: files
      configMap: {name: {{ .files | default (printf "%s-files" (include "touchline.name" .root)) }}}
    {{- end }}
    {{- with .state }}
    - name: state
      emptyDir: {sizeLimit: {{ . }}}
    {{- end }}
{{- end }}

{{- define "touchline.secret" -}}
{{- $secret := index . 0 -}}
- secret: {name: {{ $secret.name }}, items: [{key: {{ $secret.key }}, path: {{ index . 1 }}}]}
{{- end }}
