import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.from_json;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;
import org.apache.spark.sql.types.StructType;

/** Structured streaming: a query for each topic, till it has read what is there. */
public class Peer {
  public static void main(String[] args) throws Exception {
    Map<String, String> topics = new LinkedHashMap<>();
    for (String line : Files.readAllLines(Path.of(System.getenv("PEER_SCHEMA")))) {
      String[] field = line.split("\t");
      topics.merge(field[0], "`" + field[1] + "` " + field[2], (all, one) -> all + ", " + one);
    }
    String out = System.getenv("PEER_OUT");
    SparkSession spark = SparkSession.builder().master("local[*]").appName("peer")
        .config("spark.ui.enabled", "false").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1").config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd").config("spark.local.dir", out + "/_local")
        .getOrCreate();
    spark.sparkContext().setLogLevel("WARN");
    List<StreamingQuery> queries = new ArrayList<>();
    for (Map.Entry<String, String> topic : topics.entrySet()) {
      queries.add(spark.readStream().format("kafka")
          .option("kafka.bootstrap.servers", System.getenv("PEER_BROKER"))
          .option("subscribe", topic.getKey()).option("startingOffsets", "earliest").load()
          .select(from_json(col("value").cast("string"), StructType.fromDDL(topic.getValue())).as("event"),
              col("partition").as("kafka_partition"), col("offset").as("kafka_offset"), col("timestamp").as("kafka_timestamp"))
          .select("event.*", "kafka_partition", "kafka_offset", "kafka_timestamp")
          .writeStream().format("parquet").trigger(Trigger.AvailableNow())
          .option("path", out + "/" + topic.getKey()).option("checkpointLocation", out + "/_checkpoints/" + topic.getKey())
          .start());
    }
    for (StreamingQuery query : queries) {
      query.awaitTermination();
    }
    spark.stop();
  }
}
