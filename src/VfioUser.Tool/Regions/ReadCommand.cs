using System.CommandLine;
using System.Globalization;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Registers;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.Regions;

/// <summary><c>vfio-user read</c>: reads a register as a number, or bytes as a dump or into a file.</summary>
internal static class ReadCommand
{
    // a longer read is most likely a mistake in the command line
    private const ulong MaxLength = 1 << 30;

    public static Command Create(Terminal terminal)
    {
        Command command = new("read", "Reads from a region, or a register by name");
        ServerArguments server = ServerArguments.AddTo(command);
        Argument<string> argument = RegionName.OrRegister();
        Argument<ulong?> offset = Numbers.OptionalArgument("OFFSET", "First byte, relative to the region");
        Option<int> width = Width();
        Option<ulong?> length = Numbers.Option("--length", "Bytes to dump, in place of one value; in words of --width");
        Option<FileInfo?> output = new("--output") { Description = "Write the bytes to a file" };
        Option<bool> json = new("--json") { Description = "A register by name as JSON" };
        command.Add(argument);
        command.Add(offset);
        command.Add(width);
        command.Add(length);
        command.Add(output);
        command.Add(json);
        command.SetAction(parsed =>
        {
            string name = parsed.GetRequiredValue(argument);
            if (RegionName.IsRegister(name, parsed.GetValue(offset) is not null, out uint region))
            {
                RegionName.Refuse(parsed, width, length, output);
                using VfioUserClient named = server.Connect(parsed, terminal.Stop);
                ReadRegister(terminal, named, name, parsed.GetValue(json));
                return ExitCode.Success;
            }
            ulong at = parsed.GetValue(offset) ?? throw new UsageException($"OFFSET is missing: the first byte in {RegionName.Of(region)}.");
            if (parsed.GetValue(json))
                throw new UsageException("--json goes with the name of a register.");
            ulong count = parsed.GetValue(length) ?? (ulong)parsed.GetValue(width);
            if (count is 0 or > MaxLength)
                throw new UsageException($"A length of {count} bytes cannot be read; 1 to {MaxLength} can.");
            using VfioUserClient client = server.Connect(parsed, terminal.Stop);
            byte[] bytes = new byte[count];
            RegionTransfer.Read(client, region, at, bytes);
            if (parsed.GetValue(output) is { } file)
                File.WriteAllBytes(file.FullName, bytes);
            else if (parsed.GetValue(length) is not null)
                HexDump.Write(terminal.Out, at, bytes, parsed.GetResult(width) is { Implicit: false } ? parsed.GetValue(width) : 1);
            else
                terminal.Out.WriteLine(Value(bytes));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>The width of an access: registers of PCI devices have 1, 2, 4 or 8 bytes.</summary>
    public static Option<int> Width()
    {
        Option<int> width = new("--width") { Description = "Bytes of the value: 1, 2, 4 or 8", DefaultValueFactory = _ => 4 };
        width.AcceptOnlyFromAmong("1", "2", "4", "8");
        return width;
    }

    private static void ReadRegister(Terminal terminal, VfioUserClient client, string name, bool asJson)
    {
        RegisterTarget target = MapReader.Read(client).Find(name);
        ulong value = target.Read(client);
        terminal.Out.WriteLine(asJson ? MapJson.Format(RegisterValue.Of(target, value)) : target.Describe(value));
    }

    private static string Value(ReadOnlySpan<byte> bytes)
    {
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        wide.Clear();
        bytes.CopyTo(wide);
        ulong value = WireFormat.Read<ulong>(wide);
        return "0x" + value.ToString("x" + (2 * bytes.Length).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }
}
