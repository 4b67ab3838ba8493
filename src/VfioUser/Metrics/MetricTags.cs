using System.Text.Json;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Keys and values of tags. Values are a fixed set, whatever a client sends. Immutable.</summary>
internal static class MetricTags
{
    public const string Device = "vfio_user.device";
    public const string Command = "vfio_user.command";
    public const string Callback = "vfio_user.device.callback";
    public const string DmaBacking = "vfio_user.dma.backing";
    public const string DmaDirection = "vfio_user.dma.direction";
    public const string IrqType = "vfio_user.irq.type";
    public const string IoDirection = "network.io.direction";
    public const string ErrorType = "error.type";

    /// <summary>Any value without a name. Source: OpenTelemetry's semantic conventions.</summary>
    public const string Other = "_OTHER";

    private static readonly string[] Commands = [.. Enumerable.Range(0, ProtocolCommands.NumberCount)
        .Select(number => ProtocolCommands.Find((Command)number) is { IsSpecified: true } info ? info.Name : Other)];

    /// <summary>The specification's name, without its prefix and in lower case: <c>dma_map</c>.</summary>
    public static string NameOf(Command command) => (int)command < Commands.Length ? Commands[(int)command] : Other;

    /// <summary>The symbolic name: <c>EINVAL</c>.</summary>
    public static string NameOf(Errno errno) => Enum.GetName(errno) ?? Other;

    public static string NameOf<T>(T value)
        where T : struct, Enum => NameOf(Enum.GetName(value) ?? Other);

    public static KeyValuePair<string, object?> Of(string key, string value) => new(key, value);

    private static string NameOf(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);
}
