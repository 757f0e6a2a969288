import com.google.cloud.NoCredentials;
import com.google.cloud.bigquery.BigQuery;
import com.google.cloud.bigquery.BigQueryOptions;
import com.google.cloud.bigquery.Field;
import com.google.cloud.bigquery.FieldList;
import com.google.cloud.bigquery.FieldValue;
import com.google.cloud.bigquery.QueryJobConfiguration;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** Runs statements with Google's client for Java: Table URL PROJECT. Input and output are those of table.py. */
public class Table {
  public static void main(String[] args) throws Exception {
    BigQuery client = BigQueryOptions.newBuilder().setHost(args[0]).setProjectId(args[1])
        .setCredentials(NoCredentials.getInstance()).build().getService();
    var gson = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = input.readLine()) != null; ) {
      Map<String, Object> answer = new HashMap<>();
      try {
        answer.put("row", first(client, JsonParser.parseString(line).getAsJsonObject().get("sql").getAsString()));
      } catch (RuntimeException fault) {
        answer.put("error", fault.getMessage());
      }
      System.out.write((gson.toJson(answer) + "\n").getBytes(StandardCharsets.UTF_8));
      System.out.flush();
    }
  }

  static List<Object> first(BigQuery client, String sql) throws InterruptedException {
    var result = client.query(QueryJobConfiguration.of(sql));
    for (var row : result.iterateAll()) {
      return values(result.getSchema().getFields(), row);
    }
    return null;
  }

  static List<Object> values(FieldList fields, List<FieldValue> row) {
    List<Object> shown = new ArrayList<>();
    for (int i = 0; i < fields.size(); i++) {
      shown.add(show(fields.get(i), row.get(i)));
    }
    return shown;
  }

  static Object show(Field field, FieldValue value) {
    if (value.isNull()) {
      return null;
    }
    if (value.getAttribute() == FieldValue.Attribute.REPEATED) {
      List<Object> shown = new ArrayList<>();
      value.getRepeatedValue().forEach(element -> shown.add(show(field, element)));
      return shown;
    }
    switch (field.getType().getStandardType()) {
      case INT64: return Long.toString(value.getLongValue());
      case BOOL: return value.getBooleanValue();
      case FLOAT64:
        double x = value.getDoubleValue();
        return Double.isInfinite(x) ? Double.toString(x) : (Object) x;
      case NUMERIC:
      case BIGNUMERIC: return trimmed(value.getNumericValue().toPlainString());
      case BYTES: return "b\"" + HexFormat.of().formatHex(value.getBytesValue()) + "\"";
      case TIMESTAMP: return text(LocalDateTime.ofInstant(value.getTimestampInstant(), ZoneOffset.UTC)) + " UTC";
      case DATETIME: return text(LocalDateTime.parse(value.getStringValue()));
      case TIME: return trimmed(value.getStringValue());
      case STRUCT: return values(field.getSubFields(), value.getRecordValue());
      default: return value.getStringValue();
    }
  }

  static String text(LocalDateTime at) {
    return trimmed(String.format("%s %tT.%06d", at.toLocalDate(), at, at.getNano() / 1000));
  }

  /** Without the zeros at the end of a fraction. */
  static String trimmed(String text) {
    return text.contains(".") ? text.replaceAll("\\.?0+$", "") : text;
  }
}
