package dev.trunkline;

import com.google.protobuf.ByteString;
import dev.trunkline.v1.FilePart;
import dev.trunkline.v1.ImagePart;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.TextPart;
import dev.trunkline.v1.UpstreamItemPart;

/** Short names for the parts of a message. For what they leave out, build a {@link Part}. */
public final class Parts {
  private Parts() {}

  /** Text. */
  public static Part text(String text) {
    return Part.newBuilder().setText(TextPart.newBuilder().setText(text)).build();
  }

  /** An image at an https or data URL. */
  public static Part imageUrl(String url) {
    return Part.newBuilder().setImage(ImagePart.newBuilder().setUrl(url)).build();
  }

  /** An image, for example {@code imageBytes(png, "image/png")}. */
  public static Part imageBytes(byte[] data, String mimeType) {
    return Part.newBuilder()
        .setImage(ImagePart.newBuilder().setData(ByteString.copyFrom(data)).setMimeType(mimeType))
        .build();
  }

  /** An image that was uploaded to the upstream. */
  public static Part imageId(String fileId) {
    return Part.newBuilder().setImage(ImagePart.newBuilder().setFileId(fileId)).build();
  }

  /** A file at an https URL. */
  public static Part fileUrl(String url) {
    return Part.newBuilder().setFile(FilePart.newBuilder().setUrl(url)).build();
  }

  /** A file, for example {@code fileBytes(pdf, "report.pdf", "application/pdf")}. */
  public static Part fileBytes(byte[] data, String filename, String mimeType) {
    return Part.newBuilder()
        .setFile(
            FilePart.newBuilder().setData(ByteString.copyFrom(data)).setFilename(filename).setMimeType(mimeType))
        .build();
  }

  /** A file that was uploaded to the upstream. */
  public static Part fileId(String fileId) {
    return Part.newBuilder().setFile(FilePart.newBuilder().setFileId(fileId)).build();
  }

  /**
   * An item for the upstream as it is written, a JSON object with its {@code type}: what answers a call of the model
   * ({@code shell_call_output}), an {@code item_reference}. The service refuses an item without a type.
   */
  public static Part upstreamItem(String json) {
    return Items.part(json);
  }

  /** The answer to an {@code mcp_approval_request}; any other item is an {@link IllegalArgumentException}. */
  public static Part approval(UpstreamItemPart request, boolean approve) {
    return Items.approval(request, approve, "");
  }

  /** The same with a reason. */
  public static Part approval(UpstreamItemPart request, boolean approve, String reason) {
    return Items.approval(request, approve, reason);
  }
}
