using System.Globalization;

namespace VfioUser.Tool.Inspecting;

/// <summary>Prints an answer as text.</summary>
internal static class InspectionText
{
    public static void Write(Terminal terminal, InspectionAnswer answer)
    {
        if (answer.Server is { } server)
            Write(terminal, server);
        if (answer.Registers is { } registers)
            Table(terminal, ["REGION", " OFFSET", "REGISTER", "ACCESS", "VALUE"], registers, register => [register.Region, $"0x{register.Offset:x}", register.Name, register.Access, register.Text]);
        if (answer.Dma is { } dma)
            Table(terminal, [" ADDRESS", " LENGTH", "ACCESS", "BACKING"], dma, region => [$"0x{region.Address:x}", $"0x{region.Length:x}", Access(region), region.Backing]);
        if (answer.Irqs is { } irqs)
            Table(terminal, ["TYPE", " VECTORS", "STATE"], irqs, irq => [irq.Type, Vectors(irq), State(irq)]);
        if (answer.Refusals is { } refusals)
        {
            Table(terminal, [" NUMBER", "TIME", "COMMAND", " MESSAGE", "ERRNO", "REASON"], refusals, refusal =>
                [Text(refusal.Number), Text(refusal.Time), Command(refusal), refusal.MessageId is { } id ? $"#{id}" : "", refusal.Errno, refusal.Reason]);
        }
        if (answer.Counters is { } counters)
            Table(terminal, ["COUNTER", "TAGS", " VALUE"], counters, counter => [counter.Name, string.Join(' ', counter.Tags.Select(tag => $"{tag.Key}={tag.Value}")), Text(counter.Value)]);
    }

    private static void Write(Terminal terminal, ServerFacts server)
    {
        TextWriter to = terminal.Out;
        Section("Server");
        Line("name", server.Name);
        Line("address", server.Address);
        Line("process", Text(server.ProcessId));
        Line("started", Text(server.Started));
        Line("state", server.State);
        Line("sessions", Text(server.Sessions));
        Line("last disconnect", server.LastDisconnect ?? "none");
        Line("last error", server.LastError ?? "none");
        Section("Client");
        if (server.Client is { } client)
        {
            Line("process", string.Create(CultureInfo.InvariantCulture, $"{client.ProcessId}, user {client.UserId}, group {client.GroupId}"));
            Line("since", client.Since is { } since ? Text(since) : "it negotiates");
            Line("version", client.Version ?? "");
            Line("twin socket", client.TwinSocket is true ? "yes" : "no");
            Line("proposed", client.Proposed ?? "");
        }
        else
        {
            to.WriteLine("  none");
        }
        Section("Device");
        if (server.Device is { } device)
        {
            Line("type", device.Type);
            Line("id", $"{device.Vendor:x4}:{device.Device:x4}, class {device.Class:x6}");
            Line("activity", device.Activity);
            Line("bus master", device.BusMaster ? "yes" : "no");
            Line("registers", Text(device.Registers));
            Line("DMA regions", string.Create(CultureInfo.InvariantCulture, $"{device.DmaRegions}, {device.DmaBytes} bytes"));
            Line("unmodelled", string.Create(CultureInfo.InvariantCulture, $"{device.UnmodelledAccesses} accesses"));
        }
        else
        {
            to.WriteLine("  none");
        }

        void Section(string name) => to.WriteLine(terminal.Bold(name));

        void Line(string name, string value) => to.WriteLine($"  {name,-16} {PrintableText.Of(value)}".TrimEnd());
    }

    private static void Table<T>(Terminal terminal, string[] head, T[] items, Func<T, string[]> cells)
    {
        if (items.Length == 0)
        {
            terminal.Out.WriteLine("none");
            return;
        }
        TextTable table = new(head);
        foreach (T item in items)
            table.Add(cells(item));
        table.WriteTo(terminal);
    }

    private static string Access(DmaFacts region) => (region.Readable, region.Writable) switch
    {
        (true, true) => "read write",
        (true, false) => "read",
        (false, true) => "write",
        _ => "none",
    };

    private static string Vectors(IrqFacts irq) => irq.Count == 1 ? Text(irq.First) : string.Create(CultureInfo.InvariantCulture, $"{irq.First}-{irq.First + irq.Count - 1}");

    private static string State(IrqFacts irq) => string.Join(", ", new[] { irq.Enabled ? "enabled" : "no eventfd", irq.Masked ? "masked" : null, irq.Pending ? "pending" : null }.OfType<string>());

    // a number that the server does not know has no name
    private static string Command(RefusalFacts refusal) => string.Equals(refusal.Command, MetricTags.Other, StringComparison.Ordinal) ? Text(refusal.CommandNumber) : refusal.Command;

    private static string Text(double number) => number.ToString("0.######", CultureInfo.InvariantCulture);

    private static string Text(DateTimeOffset time) => time.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
}
