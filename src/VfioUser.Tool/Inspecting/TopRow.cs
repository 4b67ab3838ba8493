using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Tool.Inspecting;

/// <summary>A row of <c>top</c>: a server between two samples.</summary>
internal static class TopRow
{
    public static readonly string[] Head =
    [
        "DEVICE", "STATE", " CLIENT", " CMD/S", " READ/S", " WRITE/S", " MEAN", " DMA IN/S", " DMA OUT/S", " IRQ/S", " REFUSED", " ERRORS", " MEMORY",
    ];

    /// <summary>The cells; rates are empty if the server was started in between.</summary>
    public static string[] Between(TopSample before, TopSample after)
    {
        string[] rates = before.Server.Started == after.Server.Started && before.Server.ProcessId == after.Server.ProcessId ? Rates(before, after) : ["", "", "", "", "", "", ""];
        return
        [
            after.Server.Name,
            after.Server.State,
            after.Server.Client is { } client ? Text(client.ProcessId) : "",
            .. rates,
            Text(after.Errors("vfio_user.commands")),
            Text(after.Sum("vfio_user.errors") + after.Sum("vfio_user.device.exceptions")),
            Bytes(after.Server.Device?.DmaBytes ?? 0),
        ];
    }

    /// <summary>A number of bytes with a unit.</summary>
    public static string Bytes(double bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        int unit = 0;
        for (; bytes >= 1024 && unit < units.Length - 1; unit++)
            bytes /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{(unit == 0 || bytes >= 100 ? Math.Round(bytes) : Math.Round(bytes, 1))} {units[unit]}");
    }

    private static string[] Rates(TopSample before, TopSample after)
    {
        double seconds = Stopwatch.GetElapsedTime(before.At, after.At).TotalSeconds;
        double commands = after.Sum("vfio_user.commands") - before.Sum("vfio_user.commands");
        double took = after.Sum("vfio_user.command.duration.sum") - before.Sum("vfio_user.command.duration.sum");
        return
        [
            Text(commands / seconds),
            Text(Rate("vfio_user.commands", "region_read")),
            Text(Rate("vfio_user.commands", "region_write") + Rate("vfio_user.commands", "region_write_multi")),
            commands > 0 ? string.Create(CultureInfo.InvariantCulture, $"{took / commands * 1e6:f1} µs") : "",
            // in and out of the device
            Bytes(Rate("vfio_user.dma.bytes", "read")),
            Bytes(Rate("vfio_user.dma.bytes", "write")),
            Text(Rate("vfio_user.irqs", null)),
        ];

        double Rate(string name, string? tag) => (after.Sum(name, tag) - before.Sum(name, tag)) / seconds;
    }

    private static string Text(double number) => Math.Round(number).ToString(CultureInfo.InvariantCulture);
}
