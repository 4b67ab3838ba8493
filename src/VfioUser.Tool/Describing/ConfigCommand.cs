using System.CommandLine;
using VfioUser.Client;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Describing;

/// <summary><c>vfio-user config</c>: prints the configuration space, for <c>lspci -F /dev/stdin</c>.</summary>
internal static class ConfigCommand
{
    private const ulong ExpressSize = 4096;

    public static Command Create(Terminal terminal)
    {
        Command command = new("config", "Prints the configuration space as lspci takes it: vfio-user config SOCKET | lspci -vv -F /dev/stdin");
        ServerArguments server = ServerArguments.AddTo(command);
        command.SetAction(parsed =>
        {
            using VfioUserClient client = server.Connect(parsed, terminal.Stop);
            using ClientRegion config = client.GetRegionInfo(RegionName.Config);
            if (config.Size == 0)
                throw new ToolException("The device has no configuration space.");
            byte[] bytes = new byte[Math.Min(config.Size, ExpressSize)];
            RegionTransfer.Read(client, RegionName.Config, 0, bytes);
            // lspci ignores the name after the slot
            terminal.Out.Write("00:00.0 vfio-user device\n");
            HexDump.WriteForLspci(terminal.Out, bytes);
            terminal.Out.Write('\n');
            return ExitCode.Success;
        });
        return command;
    }
}
