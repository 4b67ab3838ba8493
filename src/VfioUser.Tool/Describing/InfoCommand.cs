using System.CommandLine;
using VfioUser.Client;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Describing;

/// <summary><c>vfio-user info</c>: prints a server's description of itself and its device.</summary>
internal static class InfoCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("info", "Shows negotiation, regions, capabilities and interrupts");
        ServerArguments server = ServerArguments.AddTo(command);
        Option<bool> json = new("--json") { Description = "As JSON" };
        Option<bool> registers = new("--registers") { Description = "Also the registers by name, if the server provides them" };
        command.Add(json);
        command.Add(registers);
        command.SetAction(parsed =>
        {
            DeviceDescription device;
            using (VfioUserClient client = server.Connect(parsed, terminal.Stop))
            {
                device = DeviceSurvey.Make(client);
                if (parsed.GetValue(registers))
                    device = WithRegisters(device, MapReader.Read(client).Map);
            }
            if (parsed.GetValue(json))
                terminal.Out.WriteLine(DescriptionJson.Format(device));
            else
                DescriptionText.Write(terminal, device);
            return ExitCode.Success;
        });
        return command;
    }

    private static DeviceDescription WithRegisters(DeviceDescription device, MapDocument map) =>
        device with { Registers = map.Registers, RegistersOmitted = map.Omitted };
}
